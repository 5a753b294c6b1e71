"""The wire floor: values to bytes and bytes to values, pure and without any I/O."""
