"""`python -m upconv` is the command line."""

from upconv.service.cli.main import main

if __name__ == "__main__":
    main()
