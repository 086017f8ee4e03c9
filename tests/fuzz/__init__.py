"""Arbitrary characters, octets and meters: nothing but a defined error, in bounded time and memory."""
