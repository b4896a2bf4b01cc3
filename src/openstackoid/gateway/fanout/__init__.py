"""Several clouds in one request: asked at once, or one after the other, and their answers made one."""
