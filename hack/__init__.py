"""What a developer needs around the product and a user never installs: clusters, tools, images, the demo."""
