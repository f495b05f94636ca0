"""What is taught and then applied to every picture: parts by points of people, the background by the classifier."""
