"""HAProxy as the fast path: its configuration and maps, from values to text, and its admin socket."""
