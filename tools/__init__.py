"""What makes files of this repository, and is no part of the package."""
