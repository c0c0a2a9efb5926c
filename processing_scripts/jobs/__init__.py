"""One processing job per module, each with main()."""
