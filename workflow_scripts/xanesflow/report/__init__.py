"""The report: figures of curation and evaluation, and one HTML page that needs no network.

To add a section:

1. A rule in rules/report.smk makes its tables and figures (`core.figures.figure`; a figure that cannot be drawn is a
   sentence, `core.figures.write_note`).
2. A function here turns these files into numbers and texts for a template, such as `figures.theories.theories_part`.
   It returns something empty where the campaign has nothing to show.
3. A template in templates/ shows them, such as theories.html: `<h2 id="theories">` within `{% if theories %}`; figures
   by `show.picture`, numbers by `show.number`, texts that may hold `code` by the filter `code`. All texts are escaped.
4. `page.make_report` calls the function, and templates/template.html includes the template and names it in its menu.
"""
