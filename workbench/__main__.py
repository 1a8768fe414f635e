"""`python -m workbench`."""

from workbench.faces.terminal import main

if __name__ == "__main__":
    main()
