"""Events: published, matched with the hooks that want them, fanned out, explained and sent again."""
