"""All layers of a network trained: epochs, losses, what an interrupted run goes on from."""
