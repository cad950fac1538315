# List the recipes.
default:
    @just --list

# Run everything on this machine, with sample data.
run *options:
    hookyard up --demo {{options}}

# Run the whole suite.
test *options:
    pytest {{options}}

# Run what starts no product and no browser.
quick *options:
    pytest -m "not slow and not browser and not faults" {{options}}

# Check format, lint, types, import rules and templates.
lint:
    ruff format --check .
    ruff check .
    mypy
    lint-imports
    djlint --check --lint templates

# Make the pictures of the documents again.
screenshots:
    python -m benchmarks screenshots
