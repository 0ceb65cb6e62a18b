"""What is predicted: tasks, their targets, and the truth of each."""
