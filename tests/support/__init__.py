"""What tests share: settings, services, processes."""
