"""What a training did, and what is wrong with it: read from the files that it left, shown as tables and pictures.

`evidence.gather` reads a run folder, or as much of a DeepRacer-for-cloud or console folder as there is.
`analysis.analyse` makes the sections and asks the doctor; `report.write_report` writes pictures and one HTML file.
"""
