"""The commands of `rocm-pipeline`, each with what it alone needs imported when it is called."""
