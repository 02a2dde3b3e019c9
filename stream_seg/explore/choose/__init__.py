"""How many segments: what each number of them is worth, and which is good enough for the business."""
