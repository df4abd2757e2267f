"""What the generated module does in Python, with the real model: smoke_test.py MODEL.gguf"""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import nibble

MODEL = sys.argv.pop(1)
PROMPT = "One more sentence, so that reading takes its time. " * 300


class Errors(unittest.TestCase):
    def test_each_has_its_own_type_and_fields(self):
        with self.assertRaises(nibble.NibbleError.NotFound) as caught:
            nibble.Model.open("/nowhere/model.gguf")
        self.assertEqual(caught.exception.code, "not_found")
        self.assertEqual(caught.exception.file, "/nowhere/model.gguf")
        with self.assertRaises(nibble.NibbleError.Io):
            nibble.Model.open("/")
        with self.assertRaises(nibble.NibbleError.MemoryLimit) as caught:
            nibble.Model.open(MODEL, nibble.ModelOptions(memory_limit=1 << 20))
        self.assertGreater(caught.exception.needed, caught.exception.available)
        with tempfile.NamedTemporaryFile() as file:
            file.write(pathlib.Path(MODEL).read_bytes()[:100_000])
            file.flush()
            with self.assertRaises(nibble.NibbleError.Truncated):
                nibble.Model.open(file.name)
            file.seek(0)
            file.write(b"PNG!")
            file.flush()
            with self.assertRaises(nibble.NibbleError.WrongFormat):
                nibble.Model.open(file.name)

    def test_what_was_released_is_closed(self):
        model = nibble.Model.open(MODEL)
        session = model.new_session()
        model.release()
        session.release()
        with self.assertRaises(nibble.NibbleError.Closed):
            model.info()
        with self.assertRaises(nibble.NibbleError.Closed):
            session.generate("a")


class Threads(unittest.TestCase):
    def test_prefill_is_cancelled_from_another_thread(self):
        session = nibble.Model.open(MODEL).new_session()
        generation = session.generate(PROMPT)
        caught = []

        def pull():
            try:
                generation.next()
            except nibble.NibbleError as error:
                caught.append(error)

        thread = threading.Thread(target=pull)
        thread.start()
        while True:
            try:
                generation.stats()
            except nibble.NibbleError.Busy:
                break
        with self.assertRaises(nibble.NibbleError.Busy):
            generation.next()
        generation.cancel_handle().cancel()
        thread.join()
        self.assertIsInstance(caught[0], nibble.NibbleError.Cancelled)


# Learns a new word after the other, and names each that it was told is learned.
LEARNER = """
import itertools, sys, nibble
user_model = nibble.UserModel.open(sys.argv[1])
completer = nibble.Completer(None, [], user_model)
for letters in itertools.product("abcdefghij", repeat=4):
    word = sys.argv[2] + "".join(letters)
    completer.commit("I said ", word)
    print(word, flush=True)
"""


class Killed(unittest.TestCase):
    def test_no_word_is_lost_that_was_learned(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "words")
            learned = set()
            for number in range(20):
                command = [sys.executable, "-c", LEARNER, path, "qwrtyzxvkm"[number % 10] + "u"]
                learner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                learned.add(learner.stdout.readline().strip())
                time.sleep(random.random() / 50)
                learner.send_signal(signal.SIGKILL)
                learned.update(word for word in learner.stdout.read().split("\n")[:-1])
                learner.wait()
                learner.stdout.close()
                user_model = nibble.UserModel.open(path)
                found = {word.word for word in user_model.words("")}
                user_model.release()
                self.assertLessEqual(learned - {""}, found)
            self.assertGreater(len(learned), 100)


class Keyboard(unittest.TestCase):
    def test_values_and_json_say_the_same(self):
        values = nibble.KeyboardController()
        by_json = nibble.KeyboardController(nibble.settings_from_json("{}"))
        focus = by_json.handle_json('{"time": 1, "focus": {"kind": "password"}}')
        self.assertIn({"engine": {"focus": {"field": "password"}}}, json.loads(focus))
        text = nibble.EditorText()
        focus = nibble.FieldFocus(
            kind=nibble.FieldKind.PASSWORD,
            capitals=nibble.CapitalsMode.NEVER,
            multi_line=False,
            action=nibble.EditorAction.DEFAULT,
            text=text,
            selection=None,
            unit=nibble.PositionUnit.UTF16,
        )
        actions = values.handle(nibble.TimedEvent(time=1, event=nibble.Event.FOCUS(focus)))
        notices = [action.notice for action in actions if action.is_NOTIFY()]
        self.assertEqual(notices[0].field, nibble.FieldKind.PASSWORD)


if __name__ == "__main__":
    unittest.main()
