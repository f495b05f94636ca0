"""Which labelled pictures an answer stands on, place by place."""
