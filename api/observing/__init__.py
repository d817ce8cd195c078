"""What operators watch: metrics, traces and logs of one process."""
