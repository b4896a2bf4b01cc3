"""How clouds are asked: connections, deadlines, rates, and what fails."""
