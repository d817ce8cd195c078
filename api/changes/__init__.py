"""All changes in a period: who did what when, by which door, as JSON pages, as CSV and as a page to print."""
