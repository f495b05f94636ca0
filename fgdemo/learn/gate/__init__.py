"""Whether a candidate may go live, judged on gold pictures that nobody trains on."""
