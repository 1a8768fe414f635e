"""Where a person sits: terminal, notebook, web. Faces draw and ask; they compute nothing."""
