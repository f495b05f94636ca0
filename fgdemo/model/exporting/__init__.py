"""A classifier for other programs: ONNX, timm, and the card beside it."""
