"""The parts of a report: each takes `report` and `details`, and returns markup with classes of style.css.

"" where there is nothing to show. The page, the web face and the notebook widget draw the same strings, inside an
element with class `workbench`.
"""
