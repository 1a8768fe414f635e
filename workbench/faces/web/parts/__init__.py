"""What the page shows beside the report's parts: each takes plain data and returns markup of the report's classes."""
