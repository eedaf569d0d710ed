"""What ``recurra.convert`` consists of: where arrays come from, what their names and their layouts say."""
