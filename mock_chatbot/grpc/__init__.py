"""The gRPC face. Importing the package loads nothing: mock_chatbot.grpc.face does, if the face is on."""
