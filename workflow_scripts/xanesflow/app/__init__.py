"""The local page of `xanesflow app`: structures and spectra in the browser. It computes nothing itself.

A **view** is a module with `layout(page)` and `callbacks(page)`; `page` is the `shared_page.Page` that all views share.
Callbacks must be quick and import nothing heavy (numpy, pymatgen and larch live in the workers only), so they

- **ask** what takes a second: `page.queue.ask("read_structure", given)` runs in a process of its own and returns its
  answer. Register what asks by `page.callback(..., error=ID)`: the sentence of a XanesflowError, such as one about bad
  input, then goes into the element `pieces.error(ID)` beside the field;
- **queue** what takes longer: `page.add("compute_spectra", title, given, files)`. The store `jobs` changes whenever a
  job does, in every tab and after a reload; draw your view from `page.jobs(kinds)`, and each job by `pieces.job_card`,
  with progress, cancel and downloads.

**Work** is a function `(work: Work) -> dict` of a module `*_work`, listed in `server.KINDS`. It calls the library and
may call `work.say(share, sentence)`, `work.show(result)` for a first part of the result, and write files for the reader
below `work.files`: `/download/JOB/NAME` gives them, and `pieces.job_card` lists them. Let the command's own writer
write them, so that the page and the terminal give the same bytes. What it returns is the result: plain JSON, with
`"terminal"`: the words of the command that gives the same (`xanesflow` first).

**Files** come from an element `pieces.drop(purpose, ...)`: a browser sends each to `/upload/PURPOSE`, and the store of
that drop then holds `[{"id", "name"}]`; `page.paths` finds them. No path of a browser is opened.

**Figures** are plain dictionaries from `plots.py`, in a `pieces.graph(id)`, which brings SVG and PNG by itself.
"""
