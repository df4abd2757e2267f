"""Continues a text: generate.py MODEL.gguf PROMPT"""

import sys

from nibble import GenerationOptions, Model

session = Model.open(sys.argv[1]).new_session()
generation = session.generate(sys.argv[2], GenerationOptions(max_tokens=24))
while (chunk := generation.next()) is not None:
    print(chunk.text, end="", flush=True)
print()
