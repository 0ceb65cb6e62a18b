"""The tables and files through which stages meet: one module per table, each with its schema, reader and writer."""
