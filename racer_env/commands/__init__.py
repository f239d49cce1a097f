"""Commands of ``racer`` that need nothing but the simulator: each parses, calls the library and prints."""
