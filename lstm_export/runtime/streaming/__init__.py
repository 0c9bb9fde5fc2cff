"""Models fed as their data arrives: streams, pools of streams, and lines of text."""
