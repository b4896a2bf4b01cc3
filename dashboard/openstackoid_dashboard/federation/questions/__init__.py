"""Why a request goes where it goes, or is refused."""
