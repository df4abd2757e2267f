"""Suggests words for a text that is being typed: suggest.py MODEL.gguf LEXICON.lex TEXT"""

import sys

from nibble import Completer, EditorContext, FieldKind, Lexicon, Model

completer = Completer(Model.open(sys.argv[1]), [Lexicon.open(sys.argv[2])])
context = EditorContext(before=sys.argv[3], after="", field=FieldKind.MESSAGE, epoch=1)
for suggestion in completer.wait_fresh(context, timeout_milliseconds=10_000).items:
    print(suggestion.text)
