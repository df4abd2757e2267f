package dev.nibble.keyboard

/** The app as the tests run it. */
class TestApplication : NibbleApplication()
