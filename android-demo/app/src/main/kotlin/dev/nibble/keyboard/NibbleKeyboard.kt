package dev.nibble.keyboard
