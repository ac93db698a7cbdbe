"""How good decisions are: rollouts played with known truth, judged by our rule and by those of our peers."""
