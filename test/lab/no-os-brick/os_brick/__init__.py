raise ImportError("No module named 'os_brick'")
