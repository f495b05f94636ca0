"""Label Studio: its tasks, answers and history, in each form of its exports."""
