"""From a recorded exchange with a chatbot to a proposal for a target. Pure: nothing is opened, run or sent.

reading    a curl line, a HAR file, an OpenAPI document or a recorded stream becomes exchanges
choosing   which of them is the chat, and which preset fits it
mapping    request template and response paths where no preset fits
proposal   the target, with what is unsure and what could not be told
"""
