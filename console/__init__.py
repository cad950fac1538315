"""Hookyard, a self-hosted webhook console: the web pages, the JSON API and everything below them."""
