"""CPU seconds in which esm-cpp runs sequences; called by benchmark_embed.py in an environment of its own.

    OMP_NUM_THREADS=1 python embed_by_esm_cpp.py FOLDER TEXTS float32|int8

FOLDER holds model.safetensors in Hugging Face layout, TEXTS a sequence a line.
"""

import sys
import time
from pathlib import Path

import esm_cpp
import numpy as np

folder, texts, kind = sys.argv[1:]
model = esm_cpp.Model.load_from_safetensors(f"{folder}/model.safetensors")
if kind == "int8":
    model.quantize_weights()
tokenizer = esm_cpp.Tokenizer()
tokens = [np.asarray(tokenizer.encode(text), dtype=np.int32) for text in Path(texts).read_text().split()]
start = time.process_time()
found = model.forward_scheduled(tokens)
seconds = time.process_time() - start
assert all(len(one) == len(text) for one, text in zip(found, tokens, strict=True))
print(seconds)
