"""What the generated module does in Python, with the real model: smoke_test.py MODEL.gguf"""

import json
import pathlib
import sys
import tempfile
import threading
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
