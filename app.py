"""`python app.py` serves the page; this is also what a Hugging Face Space runs."""

from fgdemo.bootstrap import build_services
from fgdemo.settings import Settings
from fgdemo.ui import build_app, launch_options


def main() -> None:
    services = build_services(Settings.from_env())
    app = build_app(services.workbench, services.suggestions, services.settings)
    app.launch(**launch_options(services.settings))


if __name__ == "__main__":
    main()
