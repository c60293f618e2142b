"""From a recorded exchange with a chatbot to a proposal for a target. Pure: nothing is opened, run or sent.

recorded     a curl line, a HAR file, an OpenAPI document or a recorded stream becomes exchanges
credentials  are taken out of them
web_pages    answers that are pages are left out
presets      which preset fits one of them
choosing     which of them is the chat, where no preset fits, and
generic      its request template and response paths
proposal     the target, with what is unsure and what could not be told
"""
