"""The web page of the Optimization Workbench: `python app.py`, and what a Hugging Face Space runs."""

from workbench.faces.web import launch

if __name__ == "__main__":
    launch()
