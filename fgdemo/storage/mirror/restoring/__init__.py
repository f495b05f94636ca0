"""From a mirror back into a workspace, believing nothing that is damaged."""
