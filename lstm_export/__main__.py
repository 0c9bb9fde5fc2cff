from lstm_export.cli.main import main

main()
