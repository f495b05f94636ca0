"""What is said of one picture: the answer in words, the maps, and a closer look at it."""
