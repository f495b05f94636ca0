"""How sure a figure is: exact limits of shares and of paired changes, and one bootstrap for everything else."""
